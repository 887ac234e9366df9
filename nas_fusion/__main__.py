"""``python -m nas_fusion``: the command line."""

from nas_fusion.cli import main

if __name__ == "__main__":
    main()
