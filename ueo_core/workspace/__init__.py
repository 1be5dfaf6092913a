"""All that lives under the home folder of the studio: datasets, uploads, imported adapters, studies."""
