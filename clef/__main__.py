from clef.cli import main

main()
