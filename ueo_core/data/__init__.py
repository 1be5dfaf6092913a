"""From a folder, zip or upload to decoded, deduplicated images, and from these to views."""
