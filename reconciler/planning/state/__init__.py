"""What is there: nodes, pods and volumes as observed, matched with what is remembered."""
