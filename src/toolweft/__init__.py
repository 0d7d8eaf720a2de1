"""toolweft: any model, thousands of tools, one program."""

__all__ = ("__version__",)

__version__ = "0.1.0"
