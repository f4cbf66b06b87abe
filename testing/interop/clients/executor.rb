# strongSwan's Ruby gem, loaded from its source: ruby -I LIB executor.rb SOCKET. See README.md.

require "json"
require "socket"
require "vici"

def text(value)
  case value
  when Hash then value.to_h { |key, inner| [text(key), text(inner)] }
  when Array then value.map { |inner| text(inner) }
  when nil then nil
  else value.to_s.dup.force_encoding("ISO-8859-1").encode("UTF-8")
  end
end

def raw(value)
  case value
  when Hash then value.to_h { |key, inner| [key, raw(inner)] }
  when Array then value.map { |inner| raw(inner) }
  else value.encode("ISO-8859-1").force_encoding("BINARY")
  end
end

def execute(connection, order)
  name = order["command"].tr("-", "_")
  events = []
  block = order["stream"] ? proc { |event| events << text(event) } : nil
  return by_name(connection, order, events, block) unless connection.respond_to?(name)

  method = connection.method(name)
  arguments = method.arity.zero? ? [] : [raw(order["message"] || {})]
  reply = method.call(*arguments, &block)
  { reply: reply.is_a?(Hash) ? text(reply) : nil, events: events }
rescue Vici::CommandExecError => e
  { refused: e.message }
end

# What the gem has no method for.
def by_name(connection, order, events, block)
  message = Vici::Message.new(raw(order["message"] || {}))
  reply = if block
            connection.call_with_event(order["command"], message, order["stream"], &block)
          else
            connection.call(order["command"], message)
          end
  { reply: text(reply), events: events }
end

connection = Vici::Connection.new(UNIXSocket.new(ARGV[0]))
$stdout.sync = true
if ARGV[1] == "--listen"
  connection.listen_events(ARGV[2].split(",")) do |name, message|
    puts JSON.generate({ event: text(name), message: text(message) })
  end
else
  $stdin.each_line { |line| puts JSON.generate(execute(connection, JSON.parse(line))) }
end
