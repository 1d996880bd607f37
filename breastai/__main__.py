"""`python -m breastai`: the command line."""

from breastai.cli import main

if __name__ == "__main__":
    main()
