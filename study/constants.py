"""Define the margins, thresholds and grids of the study. Accuracies are in [0, 1]."""

CONFIDENCE = 0.95  # confidence level of the intervals
SEEDS = 15  # paired seeds of the experiment `baseline`, unless the command's option SEEDS gives another number
QUICK_SEEDS = 3  # paired seeds of a quick look
QUICK_EPOCHS = 4  # epochs of a quick look
REFERENCE_ACTIVATION = "relu"  # the activation with which all others are compared

# The experiments on depth.
DEPTHS = (1, 2, 3, 5, 7, 10, 14, 20, 28, 39, 50)  # numbers of hidden layers
INITIAL_DEPTHS = (1, 2, 5, 10, 20, 50)  # hidden layers if untrained, or trained from another initialisation
WIDTH = 100  # units in each hidden layer
DEPTH_EPOCHS = 1  # epochs of training
DEPTH_UPDATES = 480  # updates in these epochs
DEPTH_OPTIMIZERS = (("adam", 1e-3), ("sgd", 1e-2))  # each with its learning rate
INITIAL_SEEDS = 20  # seeds per setting of the networks that are measured at initialisation and not trained
INITIAL_WIDTHS = (100, 256)  # units in each hidden layer of untrained networks
INITIALIZATIONS = ("glorot_uniform", "he_normal", "critical")
PROFILE_DEPTH = 20  # hidden layers of the networks whose layers are shown side by side
TRAINED_LEVEL = 0.5  # a network counts as trained from this validation accuracy on
EQUIVALENCE_MARGIN = 0.002  # of test accuracy: smaller differences do not matter to the choice of an activation
TRAINED_MARGIN = 0.1  # of validation accuracy: nearer to TRAINED_LEVEL, other seeds may decide whether a network trains
NOISE_MARGIN = 0.01  # of mean test accuracy under noise: smaller differences do not matter
COST_MARGIN = 0.05  # share of a training step's time: smaller differences do not matter
AT_CHANCE_BELOW = 0.20  # a run with a lower validation accuracy, at its lowest validation loss, stayed at chance
ARTICLE_ACCURACY = 0.9696  # test accuracy of the article's ReLU network, in one run
RUN_SECONDS = 3600.0  # seconds that a run may take in one command
WORKER_DEATHS = 3  # a run is recorded as crashed when so many worker processes died of it

# The tuned comparison chooses learning rates on validation images. It runs at most MOST_SEEDS fresh seeds, until every
# half width is at most HALF_WIDTH. All numbers but the two of `make narrow` were fixed before any fresh seed ran.
FIRST_FRESH_SEED = 2000  # fresh seeds begin here: their test results choose no learning rate (see `Plan.is_fresh`)
TUNING_EPOCHS = 6  # of each run on the grid of learning rates
HALF_WIDTH = EQUIVALENCE_MARGIN / 2  # the largest that an interval of test accuracy may have
FIRST_SEEDS, SEED_BLOCK, MOST_SEEDS = 20, 10, 60  # paired fresh seeds: first block, each further one, in all
NARROW_HALF_WIDTH = EQUIVALENCE_MARGIN / 3  # the largest after `make narrow` pools seeds of its own with the fresh ones
MOST_NARROW_SEEDS = 100  # seeds that `make narrow` may add
STABLE = 0.95  # if fewer of the resamples of the seeds recommend one activation, the headline names all that remain
STABILITY_DRAWS = 10_000  # resamples of the seeds
TOLERANCE = 0.002  # of validation accuracy: a rate that is at most this far below the best rate is tolerated

NOISE_AMPLITUDES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)  # a of the noise Unif[-a, a] on test images
TIMING_REPEATS = 15  # timings of each activation, over all processes; in a process, the activations take turns
TIMING_PROCESSES = 5  # which take the timings one after another, because a process may favour an activation throughout
TIMING_SHAPE = (100, 100)  # of a small tensor: a batch at one layer of the article's network
TIMING_PASSES = 1000  # passes over small tensors in one timing
TIMING_LARGE = 2**24  # entries of a large tensor, 64 MiB, beyond most caches
TIMING_LARGE_PASSES = 3  # passes over large tensors in one timing
TIMING_UPDATES = 240  # updates of the article's network in one timing
CHANCE_ACCURACY = 0.1  # accuracy of guessing among ten digits

# The experiments that repeat published claims in the claims' own protocols.
CLAIM_SEEDS = 5  # seeds per setting, unless the experiment or the option SEEDS gives another number

# Constants of single claims (study/analysis/claims.toml): first the claims of `make claims`, then those of `make all`.
P1_LAYERS = (8, 128)  # number of hidden layers, and units in each; P4 has the same
P1_VALIDATION = 5000  # validation images
P4_LOSSES = (0.1, 0.05, 0.03)  # training losses: the epochs until each is reached are counted
P4_LATE_LOSSES = (0.01, 0.001)  # training losses that are shown too, but judge nothing

P8_RESAMPLES = 20_000  # samples drawn
P8_N = 3  # runs of each activation in a sample
GATES_CLAIM = ("swish", "gelu")  # the two smooth activations that P8 compares
SPARSITY_CLAIM = {"relu": "relu", "sigmoid": "sigmoid"}  # {part of claim A2: the activation that the part is about}
WITHOUT_ZEROS = "leaky_relu"  # the activation that A2 compares ReLU with: its outputs are almost never exactly 0
