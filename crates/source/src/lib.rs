//! What desired state is fetched from: directories, git trees, archives, chart repositories.
