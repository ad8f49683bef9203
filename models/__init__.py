"""The network and its diffusion."""
