"""Define the margins, thresholds and grids of the study, committed before its runs. Accuracies are in [0, 1]."""

CONFIDENCE = 0.95
SEEDS = 15  # paired seeds of `baseline`, unless SEEDS says otherwise; 15 now take the time that 10 took
QUICK_SEEDS = 3
QUICK_EPOCHS = 4
REFERENCE_ACTIVATION = "relu"

# The experiments on depth: hidden layers and units in each.
DEPTHS = (1, 2, 3, 5, 7, 10, 14, 20, 28, 39, 50)
INITIAL_DEPTHS = (1, 2, 5, 10, 20, 50)  # of networks that are not trained, and under other initialisations
WIDTH = 100
DEPTH_EPOCHS = 1  # of 480 updates
DEPTH_UPDATES = 480
DEPTH_OPTIMIZERS = (("adam", 1e-3), ("sgd", 1e-2))
INITIAL_SEEDS = 20  # networks measured at initialisation and not trained
INITIAL_WIDTHS = (100, 256)
INITIALIZATIONS = ("glorot_uniform", "he_normal", "critical")
PROFILE_DEPTH = 20  # hidden layers of the networks whose layers are shown side by side
TRAINED_LEVEL = 0.5  # validation accuracy from which a network counts as trained
EQUIVALENCE_MARGIN = 0.002  # test accuracy: differences below 0.2 points do not matter to the choice
NOISE_MARGIN = 0.01  # mean test accuracy under noise, which differs by several points: the same for it
COST_MARGIN = 0.05  # share of a training step: the same for it
CHANCE_LEVEL = 0.20  # validation accuracy at the lowest validation loss below it: the run stayed at chance
ARTICLE_ACCURACY = 0.9696  # the article's ReLU on the test images, one run
RUN_SECONDS = 3600.0  # a run's time limit
WORKER_DEATHS = 3  # worker processes one run may take with it before it is recorded as crashed

# The tuned comparison chooses rates on validation images (study/analysis/tuning.py). It then runs fresh seeds until the
# half width of every interval is at most HALF_WIDTH. This was frozen before any seed from FIRST_FRESH_SEED on was run.
FIRST_FRESH_SEED = 2000
TUNING_EPOCHS = 6  # of a run of the grid
HALF_WIDTH = EQUIVALENCE_MARGIN / 2
FIRST_SEEDS, SEED_BLOCK, MOST_SEEDS = 20, 10, 60  # paired fresh seeds: at first, added at a time, at most
STABLE = 0.95  # share of the seeds' resamples that must recommend the same, or the headline names what remains
STABILITY_DRAWS = 10_000
TOLERANCE = 0.002  # validation accuracy: how far a rate may be behind the chosen one and still do

NOISE_AMPLITUDES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)  # a of Unif[-a, a] added to test images
TIMING_REPEATS = 15  # of each activation's cost, in turn with the others
TIMING_SHAPE = (100, 100)  # of the small tensor: a batch at one layer of the article's network
TIMING_PASSES = 1000  # over the small tensor, within one timing
TIMING_LARGE = 2**24  # entries of a large tensor, 64 MiB, beyond most caches
TIMING_LARGE_PASSES = 3
TIMING_UPDATES = 240  # of the article's network, within one timing
CHANCE_ACCURACY = 0.1  # of guessing among ten digits

# The claims' own protocols.
CLAIM_SEEDS = 5

# Those of `make claims`.
P1_LAYERS = (8, 128)  # hidden layers and their units, as in P4
P1_VALIDATION = 5000
P4_LOSSES = (0.1, 0.05, 0.03)  # training losses to which epochs are counted

P8_RESAMPLES = 20_000
P8_N = 3
GATES_CLAIM = ("swish", "gelu")  # the two smooth gates that P8 compares
SPARSITY_CLAIM = {"relu": "relu", "sigmoid": "sigmoid"}  # the activation of A2's parts on sparsity
WITHOUT_ZEROS = "leaky_relu"  # what A2 compares ReLU with
