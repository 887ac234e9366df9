"""What whoever decides should take, and why: chosen from the decision, and told in a sentence."""
