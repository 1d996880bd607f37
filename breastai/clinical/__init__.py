"""Numbers into evidence: figures, intervals, calibration, operating points, the audit of the images. No torch."""
