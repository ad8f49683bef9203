"""What programs print, and what they are told: no more than words."""
