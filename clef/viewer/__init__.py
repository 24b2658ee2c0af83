"""A page that shows a video with its predictions."""
