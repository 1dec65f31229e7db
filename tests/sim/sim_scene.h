#ifndef SIM_SCENE_H
#define SIM_SCENE_H

#include "sim.h"

/* What one run came to. */
struct sim_result {
	bool ok; /* it converged, and every invariant held */
	const char *why; /* if not */
	uint64_t time; /* ms to converge */
	double records; /* a member, over that time */
	double bytes; /* a member */
	size_t memory; /* of one member at the end */
	size_t abandoned;
	bool odd; /* of interest to the scene */
};

struct sim_scene {
	const char *name;
	const char *what; /* as a sentence, for TAP */
	struct sim_result (*run)(struct sim_world *w, uint64_t seed, size_t n);
};

extern const struct sim_scene sim_scenes[];

/* The scene of that name, or NULL. */
const struct sim_scene *
sim_scene_find(const char *name);

#endif
