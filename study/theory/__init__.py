"""Mean-field theory: an activation's function -> what is predicted of a network at initialisation."""
