using System.Text;

namespace Toolkit.Notebook;

/// <summary>While it lives, the process's console output and error become session events, in order, and its input comes from the session.</summary>
internal sealed class ConsoleCapture : IDisposable
{
    private readonly TextWriter _output = Console.Out;
    private readonly TextWriter _error = Console.Error;
    private readonly TextReader _input = Console.In;

    public ConsoleCapture(Action<string, string> written, Func<string?> readLine)
    {
        Console.SetIn(new LineReader(readLine));
        Console.SetOut(new StreamWriter("stdout", written));
        Console.SetError(new StreamWriter("stderr", written));
    }

    public void Dispose()
    {
        Console.SetOut(_output);
        Console.SetError(_error);
        Console.SetIn(_input);
    }

    /// <summary>Reads from whole lines, also where a cell reads character by character.</summary>
    private sealed class LineReader(Func<string?> readLine) : TextReader
    {
        private string _rest = "";

        public override int Peek() => _rest.Length > 0 ? _rest[0] : -1;

        public override int Read()
        {
            if (_rest.Length == 0)
            {
                _rest = readLine() is { } line ? line + "\n" : "";
            }

            if (_rest.Length == 0)
            {
                return -1;
            }

            var next = _rest[0];
            _rest = _rest[1..];
            return next;
        }

        public override string? ReadLine()
        {
            if (_rest.Length == 0)
            {
                return readLine();
            }

            var line = _rest.TrimEnd('\n');
            _rest = "";
            return line;
        }
    }

    private sealed class StreamWriter(string stream, Action<string, string> written) : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => Write(value.ToString());

        public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

        public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

        public override void Write(string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                written(stream, value);
            }
        }

        public override void WriteLine(string? value) => Write(value + "\n");

        public override void WriteLine() => Write("\n");
    }
}
