"""The public Python interface; `import ueo_core as ueo` gives its names."""
