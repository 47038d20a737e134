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

# The tuned comparison: half-decade rates for every activation, chosen on validation, then run on fresh seeds.
LEARNING_RATES = (1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1)
RATE_STEP = 10**0.5  # by which the grid grows, for every activation, while an optimum is at its edge
MOST_EXTENSIONS = 4  # rates added at either end before the edge is reported as it is
TUNING_SEEDS = 3
TUNED_SEEDS = 10  # fresh ones
FIRST_FRESH_SEED = 1000
TUNING_EPOCHS = 10
TOLERANCE = 0.002  # validation accuracy: a rate this near the best one's is as good

NOISE_AMPLITUDES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)  # a of Unif[-a, a] added to test images
OUTPUT_SEEDS = 5  # of the experiment on output layers
OUTPUT_EPOCHS = 5
TIMING_REPEATS = 15  # of each activation's cost, in turn with the others

# The claims' own protocols.
CLAIM_SEEDS = 5
P5_DEPTH = 30
P9_WIDTHS = (2, 3, 4, 6, 8, 10)
P9_DEPTH = 10
P9_SEEDS = 100
P8_RESAMPLES = 10_000
P8_N = 3

# Per claim and part of study/claims.py: the region in which the claim puts the quantity, bounds included.
_ANY = float("inf")
ACCEPTED: dict[str, dict[str, tuple[float, float]]] = {
    "A1": {"elementwise": (0.0, 1.0)},
    "A2": {"relu": (0.10, 1.0), "sigmoid": (0.0, 0.01)},
    "A3": {"sigmoid": (0.0, 0.25), "relu": (0.9, 1.1)},
    "A4": {"crossentropy": (0.5, 1.0), "squared_error": (-1.0, -EQUIVALENCE_MARGIN)},
    "A5": {"accuracy": (ARTICLE_ACCURACY - 0.005, ARTICLE_ACCURACY + 0.005), "ninety_nine": (0.99, 1.0)},
    "P1": dict.fromkeys(("relu", "elu", "relu_dropout", "elu_dropout"), (0.0, 1.0)),
    "P2": {"accuracy": (-EQUIVALENCE_MARGIN, _ANY)},
    "P3": {"difference": (0.01, _ANY)},
    "P4": {"mean": (0.0, 1.0), "speed": (0.0, 1.0)},
    "P5": {"glorot": (0.0, 0.01), "he": (0.1, 10.0)},
    "P6": {"keras": (0.0, CHANCE_LEVEL), "torch": (0.0, CHANCE_LEVEL)},
    "P7": {"depth": (0.5, 2.0)},
    "P8": {"gates": (-EQUIVALENCE_MARGIN, EQUIVALENCE_MARGIN), "small_n": (0.05, 1.0)},
    "P9": {"narrow": (0.5, 1.0), "wide": (0.0, 0.1)},
}
