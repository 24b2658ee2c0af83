"""Predict videos, images and webcams with a trained model."""

import os

# While OpenMP's threads wait for each other, they would keep the cores from the threads that find faces. OpenMP reads
# this variable once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
