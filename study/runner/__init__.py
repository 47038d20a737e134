"""Many runs -> local processes or a Dask cluster, with progress and resume; a session does what a command asks for."""
