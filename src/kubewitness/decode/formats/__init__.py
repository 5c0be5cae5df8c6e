"""One module per format; `kubewitness.decode.reading` finds them here. They do not know each other."""
