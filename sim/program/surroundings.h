// What a simulation must not depend on, made as different as can be: two processes that run the
// same seed, one in plain and one in foreign surroundings, have to do the same.
//
//   before the program starts   address randomisation; locale, time zone and size of the
//                               environment; what fresh memory holds (MALLOC_PERTURB_)
//   before the run              the locale is put to use, as a careless library would; the heap has
//                               holes everywhere, so that new objects lie in a strange order; the
//                               stack is full of old values
#pragma once

#include <string>
#include <vector>

namespace redoubt::sim {

struct Surroundings {
  std::string name;         // "plain", "foreign"
  std::string description;  // for people
  bool randomised = false;  // addresses
  // "NAME=value": what is set instead of what was inherited.
  std::vector<std::string> environment;
};

Surroundings plain_surroundings();
Surroundings foreign_surroundings();

// This process's environment with the changes of these surroundings.
std::vector<std::string> environment_in(const Surroundings& surroundings);

// In the process itself: what has to be done before the run. Names as above; anything else does
// nothing.
void enter_surroundings(const std::string& name);

}  // namespace redoubt::sim
