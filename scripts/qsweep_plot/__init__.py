"""Figures of qsweep results: reading (the file), series (means over seeds), style and frame (looks), a module for each family of figures."""
