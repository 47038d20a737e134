"""Every margin, threshold and grid of the study, committed before the runs it judges. Accuracies are in [0, 1]."""

CONFIDENCE = 0.95
SEEDS = 10  # paired seeds of `baseline`, unless SEEDS says otherwise
QUICK_SEEDS = 3
QUICK_EPOCHS = 4
REFERENCE_ACTIVATION = "relu"

# The experiments on depth: hidden layers, units in each, and paired seeds.
DEPTHS = (1, 2, 5, 10, 20, 50)
WIDTH = 100
DEPTH_SEEDS = 5
DEEPEST_SEEDS = 3  # at the last of DEPTHS, which takes as long as the others together
DEPTH_EPOCHS = 1  # of 480 updates
DEPTH_OPTIMIZERS = (("adam", 1e-3), ("sgd", 1e-2))
INITIAL_SEEDS = 20  # networks measured at initialisation and not trained
INITIAL_WIDTHS = (100, 256)
INITIALIZATIONS = ("glorot_uniform", "he_normal", "critical")
PROFILE_DEPTH = 20  # hidden layers of the networks whose layers are shown side by side
REMEDY_SEEDS = 3
CENTRED_SIGMA_W = 4.0  # makes a centred sigmoid network a critical tanh network at the start
SMALL_EPSILON = 1e-12  # Adam's; Keras' 1e-7 is larger than the gradients of a deep sigmoid network
TRAINED_LEVEL = 0.5  # validation accuracy from which a network counts as trained
EQUIVALENCE_MARGIN = 0.002  # test accuracy: differences below 0.2 points do not matter to the choice
CHANCE_LEVEL = 0.20  # best validation accuracy below it: the run stayed at chance
ARTICLE_ACCURACY = 0.9696  # the article's ReLU on the test images, one run
RUN_SECONDS = 3600.0  # a run's time limit
WORKER_DEATHS = 3  # worker processes one run may take with it before it is recorded as crashed
