"""Tables + figures + prose -> results/."""
