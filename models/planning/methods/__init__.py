"""What planning knows of each training method, one file each. `worker/training/methods/` has the steps."""
