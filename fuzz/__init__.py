"""Random programs and broken frames against the sandbox: `python -m fuzz`, or `make fuzz`."""
