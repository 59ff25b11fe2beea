// What the libraries of scripts have in common: numbers and the size of the stack as Lua 5.1 had
// them, which scripts and their error messages were written for.
//
// A Lua error leaves a C function by longjmp: no object with a destructor lives on these functions'
// stacks, and all memory is Lua's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <lua.hpp>

namespace redoubt {

// Cuts toward zero. What does not fit, NaN too, is INT64_MIN, as the conversion of x86-64 has it.
int64_t cut_to_signed(double number);

// For negative numbers as cut_to_signed; 0 from 2^64 on; NaN is 2^63.
uint64_t cut_to_unsigned(double number);

// Arguments that are numbers, or text that reads as one. An error is raised when they are not.
int64_t checked_integer(lua_State* lua, int argument);
int64_t integer_or(lua_State* lua, int argument, int64_t fallback);

// Pushes a whole number as scripts have it: as a double.
void push_integer(lua_State* lua, int64_t value);

// Work of a function that goes through many values or bytes; the script may end here. A value is
// about as much as an instruction.
inline void count_work(lua_State* lua, size_t values) {
  lua_work(lua, values);
}
inline void count_byte_work(lua_State* lua, size_t bytes) {
  lua_work(lua, bytes / 64);
}

// Slots that a function of C may fill, its arguments among them.
inline constexpr int kStackSlotsMax = 8000;

// True if `slots` more are free; `used` of those that are filled are not counted.
bool stack_holds(lua_State* lua, int slots, int used = 0);

// Raises "stack overflow (`message`)" if they are not.
void check_stack(lua_State* lua, int slots, const char* message, int used = 0);

}  // namespace redoubt
