"""The project's own web application around ours (`http.app`)."""
