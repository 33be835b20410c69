"""Files in and out: images (the one place that knows cv2's reader), matrices, names, levels."""
