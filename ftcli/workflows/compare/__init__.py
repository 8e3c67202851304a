"""The story of `ftcli compare`: a study's runs are made, or found, and told side by side."""
