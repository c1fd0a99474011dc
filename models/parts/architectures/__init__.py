"""Networks. Every file here is one architecture: its spec, and below it the module it builds."""
