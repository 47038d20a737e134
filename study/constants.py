"""Every margin, threshold and grid of the study, committed before the runs it judges. Accuracies are in [0, 1]."""

CONFIDENCE = 0.95
SEEDS = 10  # paired seeds of `baseline`, unless SEEDS says otherwise
QUICK_SEEDS = 3
QUICK_EPOCHS = 4
REFERENCE_ACTIVATION = "relu"
EQUIVALENCE_MARGIN = 0.002  # test accuracy: differences below 0.2 points do not matter to the choice
CHANCE_LEVEL = 0.20  # best validation accuracy below it: the run stayed at chance
ARTICLE_ACCURACY = 0.9696  # the article's ReLU on the test images, one run
RUN_SECONDS = 3600.0  # a run's time limit
WORKER_DEATHS = 3  # worker processes one run may take with it before it is recorded as crashed
