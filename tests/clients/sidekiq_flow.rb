# Sidekiq: jobs are pushed, processed, scheduled, retried, buried and counted. sidekiq_flow.rb PORT.
# The process `sidekiq`, which this starts, requires this file too; the port is then in the
# environment.

require "sidekiq"
require "sidekiq/api"

PORT = ENV["REDOUBT_PORT"] ||= ARGV[0]
Sidekiq.configure_server do |config|
  config.redis = { url: "redis://127.0.0.1:#{PORT}/0" }
  config.options[:poll_interval_average] = 0.2
  config.options[:average_scheduled_poll_interval] = 0.2
end
Sidekiq.configure_client { |config| config.redis = { url: "redis://127.0.0.1:#{PORT}/0" } }

def note(key, value)
  Sidekiq.redis { |redis| redis.rpush(key, value) }
end

class Square
  include Sidekiq::Worker
  def perform(n)
    note("squares", n * n)
  end
end

class Late
  include Sidekiq::Worker
  def perform(pushed)
    note("late", Process.clock_gettime(Process::CLOCK_REALTIME) - pushed)
  end
end

class Shaky
  include Sidekiq::Worker
  sidekiq_options retry: 5
  def perform
    attempts = Sidekiq.redis { |redis| redis.incr("attempts") }
    raise "attempt #{attempts}" if attempts < 3
  end
end

class Broken
  include Sidekiq::Worker
  sidekiq_options retry: 0
  def perform(name)
    raise ArgumentError, "no such #{name}"
  end
end

class Urgent
  include Sidekiq::Worker
  sidekiq_options queue: "critical"
  def perform(n)
    note("order", "urgent #{n}")
  end
end

class Casual
  include Sidekiq::Worker
  def perform(n)
    note("order", "casual #{n}")
  end
end

def check(what)
  raise "not so: #{what}" unless yield
end

def eventually(what)
  now = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
  deadline = now.call + 20
  until yield
    raise "still not so after 20 s: #{what}" if now.call > deadline
    sleep 0.05
  end
end

def list(key)
  Sidekiq.redis { |redis| redis.lrange(key, 0, -1) }
end

# What the client does alone.
def push
  3.times { |n| Casual.perform_async(n) }
  3.times { |n| Urgent.perform_async(n) }
  check("queues have sizes") { Sidekiq::Queue.new("critical").size == 3 }
  Square.perform_bulk((0...50).map { |n| [n] })
  job = Square.perform_async(1000)
  check("a job is found by its id and deleted") { Sidekiq::Queue.new.find_job(job).delete }
  Late.perform_in(1, Process.clock_gettime(Process::CLOCK_REALTIME))
  never = Square.perform_in(3600, 2000)
  check("scheduled") { Sidekiq::ScheduledSet.new.size == 2 }
  Shaky.perform_async
  Broken.perform_async("thing")
  never
end

def processed(never)
  eventually("all squares are there") { list("squares").size == 50 }
  check("each once") { list("squares").map(&:to_i).sort == (0...50).map { |n| n * n } }
  check("the order of queues") { list("order").first.start_with?("urgent") }
  eventually("the late one ran") { list("late").size == 1 }
  check("not too early") { list("late").first.to_f >= 1 }
  # The time until a retry is long and random.
  eventually("it is to be retried") { Sidekiq::RetrySet.new.size == 1 }
  eventually("the third attempt passed") do
    Sidekiq::RetrySet.new.retry_all
    Sidekiq.redis { |redis| redis.get("attempts") } == "3"
  end
  check("and is not retried") { Sidekiq::RetrySet.new.size == 0 }
  eventually("one is dead") { Sidekiq::DeadSet.new.size == 1 }
  check("with its error") { Sidekiq::DeadSet.new.first["error_message"] == "no such thing" }
  Sidekiq::ScheduledSet.new.find_job(never).add_to_queue
  eventually("rescheduled for now") { list("squares").include?((2000 * 2000).to_s) }
  eventually("the process is known") { Sidekiq::ProcessSet.new.size == 1 }
  eventually("counts") do
    stats = Sidekiq::Stats.new
    stats.processed == 62 && stats.failed == 3
  end
  check("no queue is left") { Sidekiq::Stats.new.enqueued == 0 }
end

if __FILE__ == $PROGRAM_NAME
  never = push
  sidekiq = Process.spawn("sidekiq", "-r", File.expand_path(__FILE__), "-c", "2", "-q", "critical",
                          "-q", "default", "-t", "2")
  begin
    processed(never)
  ensure
    Process.kill("TERM", sidekiq)
    Process.wait(sidekiq)
  end
  check("it ended well") { $?.success? }
  eventually("and is not known any more") { Sidekiq::ProcessSet.new.size == 0 }
end
