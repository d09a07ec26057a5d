"""Installs and starts what the project needs. Standard library only: it runs before anything is installed."""
