"""What a host is given so that it comes up alone when it boots and no master comes."""
