// Stand-ins until the branches text, native and training are merged: delete this file then.
#pragma warning disable CS1591, CS9113
using System.Text; using Toolkit.Text;
namespace Toolkit.Text {
public sealed class Tokenizer
{
    public int VocabularySize => 300;
    public int EndOfTextId => 256;
    public int[] Encode(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false) { var l = new List<byte>(); foreach (var i in ids) { if (i < 256) l.Add((byte)i); } return Encoding.UTF8.GetString([.. l]); }
    public ReadOnlyMemory<byte> TokenBytes(int id) => id < 256 ? new byte[] { (byte)id } : default;
    public static Tokenizer Train(IEnumerable<string> d, int v) => new();
    public static Tokenizer Load(string path) => new();
    public void Save(string path) { }
}
public sealed class IncrementalDecoder(Tokenizer t)
{
    private readonly System.Text.Decoder _d = Encoding.UTF8.GetDecoder();
    private readonly char[] _c = new char[8];
    public string Append(int id) { _ = t; return id >= 256 ? "" : new string(_c, 0, _d.GetChars([(byte)id], _c, false)); }
    public string Flush() => new(_c, 0, _d.GetChars([], _c, true));
}
}
namespace Toolkit.Native { public static class NativeMemory { 
 [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)] struct M { public long a,b,c,d,hblkhd,f,g,uord,i,j; }
 [System.Runtime.InteropServices.DllImport("libc")] static extern M mallinfo2();
 public static long AllocatedBytes() { var m = mallinfo2(); return m.uord + m.hblkhd; } } }
namespace Toolkit.Measurement { public static class MachineCeilings { public static MachineCeiling Measure(bool refresh = false) => new(10e9, 100e9, 2); } }
