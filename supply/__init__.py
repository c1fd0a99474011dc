"""What the service is made of: the lock, the base images, and known vulnerabilities in them."""
