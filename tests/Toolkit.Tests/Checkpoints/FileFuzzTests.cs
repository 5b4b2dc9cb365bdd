using Toolkit.Checkpoints;
using static TorchSharp.torch;

namespace Toolkit.Tests.Checkpoints;

/// <summary>Files that were changed at random are read or refused, within bounds of memory.</summary>
public abstract class FileFuzzTests : IDisposable
{
    // In memory where the system has such a place: a hundred thousand files would otherwise wait for the disk.
    private readonly DirectoryInfo _folder = Directory.Exists("/dev/shm")
        ? Directory.CreateDirectory(Path.Combine("/dev/shm", $"toolkit-fuzz-{Guid.NewGuid():N}"))
        : Directory.CreateTempSubdirectory("fuzz");

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>The path of a file in a folder of the test's own.</summary>
    protected string PathOf(string file) => Path.Combine(_folder.FullName, file);

    /// <summary>Reads many files.</summary>
    /// <param name="path">Where each is written.</param>
    /// <param name="mutations">How many.</param>
    /// <param name="mostBytes">What reading one may allocate.</param>
    /// <param name="mutate">Makes one.</param>
    /// <param name="read">Reads it.</param>
    /// <param name="refused">The share that must be refused at least, or the mutations are too mild to find anything.</param>
    /// <param name="isRefusal">What else but a <see cref="CheckpointException"/> refuses a file.</param>
    protected static void Fuzz(string path, int mutations, long mostBytes, Func<byte[]> mutate, Action<byte[]> read, double refused = 1.0 / 3, Func<Exception, bool>? isRefusal = null)
    {
        var (reads, refusals, most) = (0, 0, 0L);
        for (var i = 0; i < mutations; i++)
        {
            var bytes = mutate();
            File.WriteAllBytes(path, bytes);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var scope = NewDisposeScope();
                read(bytes);
                reads++;
            }
            catch (Exception problem) when (problem is CheckpointException || isRefusal?.Invoke(problem) == true)
            {
                Assert.Contains(path, problem.Message);
                Assert.InRange(problem.Message.Length, 1, 4000);
                refusals++;
            }
            catch (Exception other)
            {
                Assert.Fail($"mutation {i}: {other}\n{Convert.ToHexString(bytes)}");
            }

            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{reads} read, {refusals} refused, at most {most} bytes allocated for a file");
        Assert.True(most < mostBytes, $"{most} bytes were allocated for one file");

        // Both ends are reached, or the mutations are too mild or too wild to find anything.
        Assert.True(reads > mutations / 100 && refusals > mutations * refused, $"{reads} read, {refusals} refused");
    }
}
