// The handlers of the commands of scripts and functions; their rows are in script_rows.cc.
#pragma once

namespace redoubt {

class Context;

void eval_command(Context& c);
void eval_ro_command(Context& c);
void evalsha_command(Context& c);
void evalsha_ro_command(Context& c);
void script_load_command(Context& c);
void script_exists_command(Context& c);
void script_show_command(Context& c);
void script_flush_command(Context& c);
void script_kill_command(Context& c);
void script_debug_command(Context& c);
void script_help_command(Context& c);
void fcall_command(Context& c);
void fcall_ro_command(Context& c);
void function_load_command(Context& c);
void function_delete_command(Context& c);
void function_flush_command(Context& c);
void function_dump_command(Context& c);
void function_restore_command(Context& c);
void function_list_command(Context& c);
void function_kill_command(Context& c);
void function_stats_command(Context& c);
void function_help_command(Context& c);

}  // namespace redoubt
