"""What happens to calls when something fails: every fault, on the real switch, with calls in every phase."""
