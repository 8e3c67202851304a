"""ftcli: fine-tune a pretrained backbone from a recipe; shown before, done exactly, proved after."""

__version__ = "0.1.0"
