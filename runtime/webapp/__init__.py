"""The project's own web application (`http.app`): imported, and its lifespan, in whatever process it is."""
