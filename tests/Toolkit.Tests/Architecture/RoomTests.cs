using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Toolkit.Tests.Architecture;

/// <summary>Data flows one way: a room uses only rooms of a lower tier, and only the facade sees them all.</summary>
public sealed partial class RoomTests
{
    private static readonly Dictionary<string, int> Tiers = new()
    {
        ["Native"] = 0,
        ["Text"] = 0,
        ["Ops"] = 1,
        ["Checkpoints"] = 1,
        ["Layers"] = 2,
        ["Data"] = 2,
        ["Models"] = 3,
        ["Graphs"] = 4,
        ["Decoding"] = 5,
        ["Quantization"] = 5,
        ["Parallel"] = 5,
        ["Evaluation"] = 5,
        ["Training"] = 6,
        ["Serving"] = 6,
        ["Scaling"] = 7,
        ["Measurement"] = 7,
        ["Display"] = 8,
    };

    private static string Library => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "..", "Toolkit"));

    [Fact]
    public void Every_folder_is_a_room_with_a_tier()
    {
        var folders = Directory.GetDirectories(Library).Select(folder => Path.GetFileName(folder)!).Where(name => name is not ("bin" or "obj")).ToArray();
        Assert.NotEmpty(folders);
        Assert.All(folders, folder => Assert.True(Tiers.ContainsKey(folder), $"Toolkit/{folder} is no room of the design"));
    }

    [Fact]
    public void A_room_uses_only_rooms_of_lower_tiers()
    {
        var wrong = new List<string>();
        foreach (var (room, file, source) in Sources())
        {
            foreach (var used in RoomsUsed(source).Where(used => used != room && Tiers[used] >= Tiers[room]))
            {
                wrong.Add($"{room}/{Path.GetFileName(file)} (tier {Tiers[room]}) uses {used} (tier {Tiers[used]})");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void A_rooms_files_are_in_its_namespace()
    {
        foreach (var (room, file, source) in Sources())
        {
            // A large room may have namespaces of its own inside.
            Assert.True(Regex.IsMatch(source, $@"^namespace Toolkit\.{room}(\.\w+)*;", RegexOptions.Multiline), $"{file} is not in namespace Toolkit.{room}");
        }
    }

    [Fact]
    public void The_scan_sees_a_wrong_way_reference()
    {
        Assert.Equal(["Display"], RoomsUsed("using Toolkit.Display;\nnamespace Toolkit.Text;"));
        Assert.Equal(["Training"], RoomsUsed("namespace Toolkit.Text;\nvar t = new Training.Trainer(model);"));
        Assert.Empty(RoomsUsed("namespace Toolkit.Text; // like Training.Trainer\n/// <see cref=\"Display.Output\"/>\nvar s = \"Ops.RmsNorm\";"));
    }

    private static IEnumerable<(string Room, string File, string Source)> Sources() =>
        from folder in Directory.GetDirectories(Library)
        let room = Path.GetFileName(folder)
        where Tiers.ContainsKey(room)
        from file in Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories)
        select (room, file, File.ReadAllText(file));

    /// <summary>Rooms named by a using directive or by a qualified name, outside of comments and strings.</summary>
    private static string[] RoomsUsed(string source)
    {
        var code = CommentsAndStrings().Replace(source, "");
        code = Regex.Replace(code, @"namespace Toolkit\.[\w.]+;", "");
        return [.. Qualified().Matches(code).Select(match => match.Groups["room"].Value).Where(IsRoom).Distinct()];
    }

    // A room that is not there yet cannot be used: "Parallel.ForEach" is .NET's.
    private static bool IsRoom(string name) => Tiers.ContainsKey(name) && Directory.Exists(Path.Combine(Library, name));

    private static string ThisFile([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/|"""""".*?""""""|@?""(\\.|[^""\\\n])*""", RegexOptions.Singleline)]
    private static partial Regex CommentsAndStrings();

    // "Toolkit.Room", or "Room.Type" that no other name qualifies (x.Data.Length is a property, not a room).
    [GeneratedRegex(@"(\bToolkit\.(?<room>[A-Z]\w+)\b)|((?<![\w.])(?<room>[A-Z]\w+)\.[A-Z])")]
    private static partial Regex Qualified();
}
