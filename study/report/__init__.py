"""Write the report: tables, figures and prose in a results folder. Start reading at assembly.py.

A folder's ledgers, records and documents come in, and the Sections that the modules of experiments/ make of them
(section.py). README.md, the pages, report.html, tables and figures go out. The package may import figures, analysis,
records and the modules without TensorFlow, such as settings. It may import neither what runs or predicts (runner, cost,
networks, theory, the engine) nor experiments.
"""
