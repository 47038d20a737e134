"""Write the report: tables, figures and prose in results/."""
