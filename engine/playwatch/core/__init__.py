"""The pure core: samples in, transitions and deliveries out."""
