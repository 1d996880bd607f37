"""Remote storage: images at an address, copied here before a job begins."""
