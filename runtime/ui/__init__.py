"""Components of front ends that come with a project: what they are made from, made with, and become."""
