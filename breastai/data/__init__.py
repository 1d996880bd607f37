"""Images to arrays: folders, decoding, preprocessing, augmentation, the cache, splits and the built-in sample data."""
