"""DataFrames -> Figures: one style, one colour an activation."""
