"""Privacy: copies of images with nothing of the patient but a salted hash."""
